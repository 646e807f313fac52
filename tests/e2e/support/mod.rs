//! What the end-to-end tests share: children that never outlive them, tools, projects, servers.

pub mod child;
pub mod gate;
pub mod logs;
pub mod mcp;
pub mod services;
pub mod site;
pub mod stream;
pub mod tools;
pub mod wire;
pub mod work;

/// The targets, as `--target` names them: [`TARGETS`], and a test for each function and target with
/// [`on_every_runtime`]: `lambda::meets_2026_07_28` and so on.
macro_rules! targets {
    ($dollar:tt $($target:ident),+) => {
        pub const TARGETS: &[&str] = &[$(stringify!($target)),+];

        macro_rules! on_every_runtime {
            ($dollar($dollar test:ident),+ $dollar(,)?) => {
                $crate::support::on_runtimes!([$($target),+], $dollar($dollar test),+);
            };
        }
    };
}

targets!($ lambda, vercel, cloudflare, container);

macro_rules! on_runtimes {
    ([$($target:ident),+], $($test:ident),+) => {
        $crate::support::on_runtimes!(@each [$($target),+] [$($test),+]);
    };
    (@each [$($target:ident),+] $tests:tt) => {
        $($crate::support::on_runtimes!(@one $target $tests);)+
    };
    (@one $target:ident [$($test:ident),+]) => {
        mod $target {
            $(#[test]
            fn $test() {
                super::$test(stringify!($target));
            })+
        }
    };
}

#[allow(clippy::single_component_path_imports)] // clippy does not see the macro that a macro makes
pub(crate) use on_every_runtime;
pub(crate) use on_runtimes;
