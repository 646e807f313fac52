//! What would be uploaded for each cloud: every file of it, raw and compressed.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use flate2::Compression;
use flate2::write::GzEncoder;

pub fn print(project: &Path) -> Result<()> {
    println!("| what is uploaded | files | raw bytes | gzip bytes |\n|---|---|---|---|");
    let lambda = files_below(&project.join("dist/lambda"))?;
    row("AWS Lambda: the function's folder", &lambda)?;
    row("Vercel: the function with the files of its `filePathMap`", &vercel_function(project)?)?;
    let worker = files_below(&project.join(".wrangler/dist"))?;
    // Wrangler leaves a note about the folder beside what it uploads.
    let worker: Vec<_> = worker.into_iter().filter(|path| path.extension().is_none_or(|end| end != "md")).collect();
    row("Cloudflare Workers: modules", &without_maps(&worker))?;
    row("Cloudflare Workers: modules and source maps", &worker)?;
    println!();
    Ok(())
}

fn row(what: &str, files: &[PathBuf]) -> Result<()> {
    let (mut raw, mut compressed) = (0, 0);
    for file in files {
        let bytes = std::fs::read(file).with_context(|| format!("cannot read `{}`", file.display()))?;
        raw += bytes.len();
        compressed += gzip(&bytes)?;
    }
    println!("| {what} | {} | {raw} | {compressed} |", files.len());
    Ok(())
}

fn gzip(bytes: &[u8]) -> Result<usize> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::new(9));
    encoder.write_all(bytes)?;
    Ok(encoder.finish()?.len())
}

fn without_maps(files: &[PathBuf]) -> Vec<PathBuf> {
    files.iter().filter(|path| path.extension().is_none_or(|end| end != "map")).cloned().collect()
}

/// The build output holds a part of the function; `filePathMap` names what is taken from the project.
fn vercel_function(project: &Path) -> Result<Vec<PathBuf>> {
    let function = project.join(".vercel/output/functions/index.func");
    let mut files = files_below(&function)?;
    let config: serde_json::Value = serde_json::from_slice(&std::fs::read(function.join(".vc-config.json"))?)?;
    for (path, source) in config["filePathMap"].as_object().into_iter().flatten() {
        let source = project.join(source.as_str().unwrap_or(path));
        files.extend(if source.is_dir() { files_below(&source)? } else { vec![source] });
    }
    Ok(files)
}

fn files_below(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).with_context(|| format!("cannot read `{}`", folder.display()))? {
        let path = entry?.path();
        if path.is_dir() { files.extend(files_below(&path)?) } else { files.push(path) }
    }
    files.sort();
    Ok(files)
}
