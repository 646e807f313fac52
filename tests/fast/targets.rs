//! A target is known by name in its two places, `src/manifest/targets/NAME` and `src/targets/NAME`, and nowhere else.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use mcp_deploy::manifest::targets::stores;
use mcp_deploy::targets;
use proc_macro2::{TokenStream, TokenTree};

use crate::support::sources;

/// Who else may, and why.
const EXCEPTIONS: &[(&str, &str)] = &[
    ("manifest/targets/mod.rs", "the field and the row of each target"),
    ("targets/mod.rs", "the row of each target"),
    ("manifest/targets/stores.rs", "the row of each store"),
    ("toolchain/table.rs", "a tool has its maker's name"),
    ("toolchain/mod.rs", "variables that keep a tool quiet have its maker's name"),
    ("cli/", "examples of help texts are for people"),
    ("examples.rs", "two examples ask AWS, whatever they run on"),
];

#[test]
fn a_target_is_known_by_name_in_its_two_places_alone() {
    let found = names(&sources(), &words());
    let wrong: Vec<&String> =
        found.iter().filter(|(file, _)| exception(file).is_none()).map(|(_, said)| said).collect();
    assert!(wrong.is_empty(), "{wrong:#?}\nask the target's row instead; tests/fast/targets.rs has the exceptions");
    for (place, reason) in EXCEPTIONS {
        assert!(found.iter().any(|(file, _)| file.starts_with(place)), "no need for an exception: {place}: {reason}");
    }
}

#[test]
fn a_name_is_seen_in_code_and_text_but_not_in_comments_and_tests() {
    let seen = |text: &str| names(&[(PathBuf::from("ship/x.rs"), text.to_owned())], &words()).len();
    for text in [
        "fn f() { targets::vercel() }",
        "const A: &str = \"run wrangler\";",
        "fn f(cloudflare: Cloudflare) {}",
        "fn f() { say!(\"{}\", LambdaFront) }",
        "struct S { aws_account: u8 }",
        "fn f<A>() {} // then\nfn g() { VERCEL_URL }",
        "use crate::manifest::targets::lambda::Lambda;",
    ] {
        assert!(seen(text) > 0, "{text}");
    }
    for text in [
        "//! Vercel\n/// of AWS Lambda\nfn f() { /* wrangler */ }",
        "#[cfg(test)]\nmod tests { fn f() { \"vercel\" } }",
        "fn f() { \"lambdas awsome\" }",
    ] {
        assert_eq!(seen(text), 0, "{text}");
    }
    let tests = "#[cfg(test)]\nmod tests;";
    let files = [("ship/mod.rs", tests), ("ship/tests.rs", "fn f() { vercel() }")];
    let files = files.map(|(file, text)| (PathBuf::from(file), text.to_owned()));
    assert_eq!(names(&files, &words()), []);
}

fn exception(file: &str) -> Option<&'static str> {
    EXCEPTIONS.iter().find(|(place, _)| file.starts_with(place)).map(|(_, reason)| *reason)
}

/// What gives a target away: its names, and those of its stores and tools.
fn words() -> BTreeSet<String> {
    let mut words = BTreeSet::new();
    for target in targets::ALL {
        words.extend([target.name].iter().chain(target.aliases).map(|name| (*name).to_owned()));
    }
    // A name of several words is made of those of others.
    words.extend(stores::ALL.iter().filter(|store| !store.secrets.is_empty()).map(|store| store.name.to_owned()));
    let tools = targets::ALL.iter().flat_map(|target| target.tools).map(|(id, _)| id.requirement());
    let tools = tools.filter(|tool| tool.is_provisioned());
    words.extend(tools.map(|tool| tool.name.to_owned()).filter(|name| !name.contains('-')));
    words
}

/// The files that name a target outside of its two places, and the words.
fn names(sources: &[(PathBuf, String)], words: &BTreeSet<String>) -> Vec<(String, String)> {
    let (mut found, mut of_tests) = (Vec::new(), Vec::new());
    for (file, text) in sources {
        let tokens: TokenStream = text.parse().unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        let mut said = Vec::new();
        read(tokens, &mut said, &mut |module| of_tests.push(submodule(file, module)));
        let named = said.iter().filter(|text| split(text).any(|word| words.contains(&word)));
        let file = file.to_string_lossy().into_owned();
        let mut parts = file.trim_start_matches("manifest/").split(['/', '.']);
        let is_place = parts.next() == Some("targets") && parts.next().is_some_and(|name| words.contains(name));
        found.extend(named.filter(|_| !is_place).map(|text| (file.clone(), format!("{file}: {text}"))));
    }
    found.retain(|(file, _)| {
        !of_tests.iter().any(|test| Path::new(file).starts_with(test.with_extension("")) || Path::new(file) == test)
    });
    found
}

fn submodule(file: &Path, name: &str) -> PathBuf {
    let is_root = file.file_stem().is_some_and(|stem| stem == "mod" || stem == "lib");
    let folder = if is_root { file.parent().unwrap_or(file).to_owned() } else { file.with_extension("") };
    folder.join(format!("{name}.rs"))
}

/// Names and texts of the code; code for tests is left out, and its modules are returned.
fn read(tokens: TokenStream, said: &mut Vec<String>, of_tests: &mut dyn FnMut(&str)) {
    let mut tokens = tokens.into_iter().peekable();
    while let Some(token) = tokens.next() {
        match token {
            TokenTree::Punct(mark) if mark.as_char() == '#' => {
                let inner = tokens.next_if(|next| matches!(next, TokenTree::Punct(mark) if mark.as_char() == '!'));
                let Some(TokenTree::Group(attribute)) = tokens.next() else { continue };
                let attribute = attribute.stream();
                if attribute.to_string().replace(' ', "") == "cfg(test)" && inner.is_none() {
                    skip(&mut tokens, of_tests);
                } else if !attribute.to_string().starts_with("doc ") {
                    read(attribute, said, of_tests);
                }
            }
            TokenTree::Group(group) => read(group.stream(), said, of_tests),
            TokenTree::Ident(name) => said.push(name.to_string()),
            TokenTree::Literal(text) => said.push(text.to_string()),
            TokenTree::Punct(_) => {}
        }
    }
}

/// The rest of an item: to its end, or its block.
fn skip(tokens: &mut impl Iterator<Item = TokenTree>, of_tests: &mut dyn FnMut(&str)) {
    let mut before: Vec<String> = Vec::new();
    for token in tokens {
        match token {
            TokenTree::Group(group) if group.delimiter() == proc_macro2::Delimiter::Brace => return,
            TokenTree::Punct(mark) if [';', ','].contains(&mark.as_char()) => {
                if let [.., keyword, name] = before.as_slice()
                    && keyword == "mod"
                {
                    of_tests(name);
                }
                return;
            }
            other => before.push(other.to_string()),
        }
    }
}

/// `LambdaFront` and `AWS_REGION` in small words.
fn split(text: &str) -> impl Iterator<Item = String> {
    let mut words = vec![String::new()];
    let mut was_small = false;
    for c in text.chars() {
        if !c.is_ascii_alphanumeric() || (was_small && c.is_ascii_uppercase()) {
            words.push(String::new());
        }
        was_small = c.is_ascii_lowercase();
        if c.is_ascii_alphanumeric() {
            words.last_mut().expect("there is one").push(c.to_ascii_lowercase());
        }
    }
    words.into_iter().filter(|word| !word.is_empty())
}

/// The tables of `docs/adding-a-target.md` have the fields of the rows, in their order.
#[test]
fn the_documentation_names_every_field() {
    let page = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/adding-a-target.md")).unwrap();
    for (file, row) in [("manifest/targets/mod.rs", "Facts"), ("targets/mod.rs", "Target")] {
        let sources = sources();
        let (_, text) = sources.iter().find(|(path, _)| path == Path::new(file)).expect("a source");
        let items = syn::parse_file(text).unwrap().items;
        let fields = items.into_iter().find_map(|item| match item {
            syn::Item::Struct(item) if item.ident == row => Some(item.fields),
            _ => None,
        });
        let fields: Vec<String> =
            fields.expect("the row").into_iter().map(|field| field.ident.expect("a name").to_string()).collect();
        let part = page.split_once(&format!(": {row}`")).expect("its part").1;
        let part = part.split("\n## ").next().unwrap_or(part);
        let rows = part.lines().filter_map(|line| line.trim().strip_prefix("| `")?.split('|').next());
        let named: Vec<String> =
            rows.flat_map(|row| row.split(',').map(|name| name.trim_matches([' ', '`']).to_owned())).collect();
        assert_eq!(named, fields, "{row}");
    }
}
