//! The `rollbook` command.

fn main() -> std::process::ExitCode {
    rollbook::cli::run()
}
