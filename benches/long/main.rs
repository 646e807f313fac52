//! The long proofs: matrices, soaks and sizes of which `cargo test` runs a cut. `cargo bench --bench long -- NAME…`
//! runs those that are named, and without a name lists them; the exit code is 1 when one of them does not hold.
#![allow(clippy::print_stdout, clippy::print_stderr)]

use std::process::{Command, ExitCode, Stdio};

/// One long proof.
struct Proof {
    name: &'static str,
    /// What it shows, and what `cargo test` runs of it.
    shows: &'static str,
    run: fn() -> bool,
}

const PROOFS: [Proof; 9] = [
    Proof {
        name: "faults",
        shows: "a fault at every request of a deployment, on every cloud (cut: five on each)",
        run: || ignored("clouds", "ship_faults::a_fault_at_every_request"),
    },
    Proof {
        name: "examples",
        shows: "every example on every cloud (cut: each on one cloud, `weather` on all)",
        run: || ignored("e2e", "examples::every_example_runs_on_every_cloud"),
    },
    Proof {
        name: "packages",
        shows: "58 npm packages in Node.js and in workerd, and the table of docs/packages.md (cut: three of them)",
        run: || ignored("e2e", "npm::every_package_loads_or_is_named"),
    },
    Proof {
        name: "tools",
        shows: "a thousand tools on every cloud (cut: two hundred on Cloudflare)",
        run: || ignored("e2e", "large::a_thousand_tools"),
    },
    Proof {
        name: "templates",
        shows: "every front of `template.yaml` with every option (cut: with all of them, and two fronts with each)",
        run: || ignored("e2e", "templates::every_template_is_clean"),
    },
    Proof {
        name: "managers",
        shows: "npm, pnpm, Yarn 4, Yarn 1 and Bun, each in four layouts, on every cloud (cut: four of them on one cloud each)",
        run: || ignored("e2e", "managers::every_manager_in_every_layout"),
    },
    Proof {
        name: "saves",
        shows: "twenty saves under constant load lose no request, on every cloud (cut: two saves on two clouds)",
        run: || ignored("e2e", "dev::twenty_saves_lose_no_request"),
    },
    Proof {
        name: "soak",
        shows: "40,000 mixed requests, streams and clients that leave: the heap does not grow (cut: one client that leaves)",
        run: || ignored("e2e", "runtime::does_not_grow"),
    },
    Proof {
        name: "image",
        shows: "the image that buildah builds of the Dockerfile, run as Docker would (cut: linters; needs root and buildah)",
        run: || ignored("e2e", "image::runs_as_in_docker"),
    },
];

fn main() -> ExitCode {
    // cargo adds arguments: `--bench`, and `--test` when it is run as a test, which it is not.
    let named: Vec<String> = std::env::args().skip(1).filter(|arg| !arg.starts_with("--")).collect();
    if named.is_empty() {
        PROOFS.iter().for_each(|proof| println!("{}: {}", proof.name, proof.shows));
        return ExitCode::SUCCESS;
    }
    let mut holds = true;
    for name in &named {
        let proven = match PROOFS.iter().find(|proof| proof.name == name) {
            Some(proof) => (proof.run)(),
            None => {
                eprintln!("there is no long proof `{name}`");
                false
            }
        };
        println!("{name}: {}", if proven { "holds" } else { "does not hold" });
        holds &= proven;
    }
    if holds { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// A test that `cargo test` leaves out.
fn ignored(binary: &str, test: &str) -> bool {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.args(["test", "--test", binary, "--", "--ignored", "--exact", test]).stderr(Stdio::inherit());
    match command.output() {
        Ok(ran) => {
            let said = String::from_utf8_lossy(&ran.stdout);
            println!("{said}");
            // A name that nothing has would pass, too.
            ran.status.success() && said.contains("1 passed")
        }
        Err(error) => {
            eprintln!("cannot run cargo: {error}");
            false
        }
    }
}
