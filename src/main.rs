//! Argv in, exit code out.

fn main() -> std::process::ExitCode {
    codling::cli::run(std::env::args_os().skip(1), std::env::vars_os())
}
