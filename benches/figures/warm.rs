//! What a call costs a process that has answered many, all servers in turn, round by round.

use anyhow::Result;

use crate::requests::{Ask, cpu_ms};
use crate::servers::{Server, Servers};
use crate::stats::Samples;

const ROUNDS: usize = 5;
/// Until the compilers have done their work.
const BEFORE: usize = 1500;
const CALLS: usize = 2000;

pub fn print(servers: &Servers) -> Result<()> {
    let mut tables = [Ask::Call, Ask::ModernCall].map(|ask| {
        let able = servers.node.iter().filter(|server| server.answers(ask));
        (ask, able.map(|server| (server, Samples::default())).collect::<Vec<_>>())
    });
    for round in 0..ROUNDS {
        let mut all: Vec<_> =
            tables.iter_mut().flat_map(|(ask, rows)| rows.iter_mut().map(|row| (*ask, row))).collect();
        let count = all.len();
        all.rotate_left(round * 7 % count);
        for (ask, (server, cpu)) in all {
            cpu.add(microseconds(server, ask)?);
        }
    }
    println!(
        "A warm call, {ROUNDS} interleaved rounds of {CALLS} calls on one connection after {BEFORE} others; processor time of all threads:\n"
    );
    println!(
        "| call | server | CPU µs | middle half | × the floor | × the floor without `import` |\n|---|---|---|---|---|---|"
    );
    for (ask, rows) in &tables {
        for (server, cpu) in rows {
            println!(
                "| {} | {} | {:.0} | {} | {:.2} | {:.2} |",
                ask.name(),
                server.what,
                cpu.median(),
                cpu.middle_half(),
                cpu.median() / rows[0].1.median(),
                cpu.median() / rows[1].1.median(),
            );
        }
    }
    println!();
    Ok(())
}

fn microseconds(server: &Server, ask: Ask) -> Result<f64> {
    let request = server.request(ask);
    let mut running = server.start()?;
    let mut client = running.first(ask, &request)?;
    for _ in 0..BEFORE {
        ask.check(server.what, &client.ask(&request)?)?;
    }
    let before = cpu_ms(running.pid());
    for _ in 0..CALLS {
        ask.check(server.what, &client.ask(&request)?)?;
    }
    Ok((cpu_ms(running.pid()) - before) * 1e3 / CALLS as f64)
}
