//! From the start of a process to its first answer, all servers in turn, round by round.

use std::time::Duration;

use anyhow::Result;

use crate::requests::{Ask, cpu_ms, peak_mib};
use crate::servers::{Server, Servers};
use crate::stats::{Samples, short};

const ROUNDS: usize = 15;
/// In workerd, what threads do in the background after an answer counts, too.
const SETTLED: Duration = Duration::from_millis(50);

struct Row<'a> {
    server: &'a Server,
    ask: Ask,
    time: Samples,
    cpu: Samples,
    memory: Samples,
}

fn rows(servers: &[Server], ask: Ask) -> Vec<Row<'_>> {
    let able = servers.iter().filter(|server| server.answers(ask));
    let [time, cpu, memory] = [Samples::default, Samples::default, Samples::default];
    able.map(|server| Row { server, ask, time: time(), cpu: cpu(), memory: memory() }).collect()
}

pub fn print(servers: &Servers) -> Result<()> {
    let asks = [Ask::List, Ask::Call, Ask::ModernList, Ask::ModernCall];
    let mut tables: Vec<Vec<Row>> = asks.iter().map(|ask| rows(&servers.node, *ask)).collect();
    tables.push(rows(&servers.node[..3], Ask::Health));
    let mut workers: Vec<Vec<Row>> = asks.iter().map(|ask| rows(&servers.workerd, *ask)).collect();
    // One round to warm the page cache, then all of them in turn, each round in another order.
    for round in 0..=ROUNDS {
        let mut all: Vec<(bool, &mut Row)> = tables.iter_mut().flatten().map(|row| (false, row)).collect();
        all.extend(workers.iter_mut().flatten().map(|row| (true, row)));
        let count = all.len();
        all.rotate_left(round * 7 % count);
        for (in_workerd, row) in all {
            let (time, cpu, memory) = if in_workerd { after_health(row)? } else { first_answer(row)? };
            if round > 0 {
                row.time.add_time(time);
                row.cpu.add(cpu);
                row.memory.add(memory);
            }
        }
    }
    println!("Start of the process to the first answer, {ROUNDS} interleaved rounds; processor time of all threads:\n");
    println!(
        "| first answer to | server | CPU ms | middle half | × the floor | × the floor without `import` | wall ms | peak MiB |"
    );
    println!("|---|---|---|---|---|---|---|---|");
    for rows in &tables {
        for row in rows {
            let cpu = row.cpu.median();
            println!(
                "| {} | {} | {cpu:.1} | {} | {:.2} | {:.2} | {} | {} |",
                row.ask.name(),
                row.server.what,
                row.cpu.middle_half(),
                cpu / rows[0].cpu.median(),
                cpu / rows[1].cpu.median(),
                short(row.time.median()),
                short(row.memory.median()),
            );
        }
    }
    println!(
        "\nIn workerd, the first request after `/health`, {ROUNDS} interleaved rounds; processor time of all threads:\n"
    );
    println!("| first answer to | server | CPU ms | middle half | × the floor | wall ms |\n|---|---|---|---|---|---|");
    for rows in &workers {
        for row in rows {
            let cpu = row.cpu.median();
            println!(
                "| {} | {} | {cpu:.2} | {} | {:.2} | {} |",
                row.ask.name(),
                row.server.what,
                row.cpu.middle_half_exact(),
                cpu / rows[0].cpu.median(),
                short(row.time.median()),
            );
        }
    }
    println!();
    Ok(())
}

/// Wall time, processor time in ms and peak memory in MiB until the first good answer.
fn first_answer(row: &Row) -> Result<(Duration, f64, f64)> {
    let request = row.server.request(row.ask);
    let mut running = row.server.start()?;
    running.first(row.ask, &request)?;
    let time = running.started.elapsed();
    Ok((time, cpu_ms(running.pid()), peak_mib(running.pid())))
}

/// The same of one request to a Worker that has started.
fn after_health(row: &Row) -> Result<(Duration, f64, f64)> {
    let mut running = row.server.start()?;
    let mut client = running.first(Ask::Health, &Ask::Health.request(None))?;
    std::thread::sleep(SETTLED);
    let before = cpu_ms(running.pid());
    let started = std::time::Instant::now();
    let answer = client.ask(&row.server.request(row.ask))?;
    let time = started.elapsed();
    row.ask.check(running.what, &answer)?;
    std::thread::sleep(SETTLED);
    Ok((time, cpu_ms(running.pid()) - before, peak_mib(running.pid())))
}
