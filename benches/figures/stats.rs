//! Medians, because somebody else's work on the machine makes single runs longer and never shorter.

use std::time::Duration;

/// The values of one measurement.
#[derive(Default)]
pub struct Samples(Vec<f64>);

impl Samples {
    pub fn add(&mut self, value: f64) {
        self.0.push(value);
    }

    pub fn add_time(&mut self, time: Duration) {
        self.add(time.as_secs_f64() * 1e3);
    }

    pub fn median(&self) -> f64 {
        self.quantile(0.5)
    }

    /// The best run: what the machine can do when nobody disturbs it.
    pub fn least(&self) -> f64 {
        self.quantile(0.0)
    }

    /// The middle half, to show the noise.
    pub fn middle_half(&self) -> String {
        format!("{} to {}", short(self.quantile(0.25)), short(self.quantile(0.75)))
    }

    /// The same for ratios, which are small numbers.
    pub fn middle_half_exact(&self) -> String {
        format!("{:.2} to {:.2}", self.quantile(0.25), self.quantile(0.75))
    }

    fn quantile(&self, q: f64) -> f64 {
        let mut sorted = self.0.clone();
        sorted.sort_by(f64::total_cmp);
        let at = q * (sorted.len().max(1) - 1) as f64;
        let (low, high) = (at.floor() as usize, at.ceil() as usize);
        match (sorted.get(low), sorted.get(high)) {
            (Some(a), Some(b)) => a + (b - a) * at.fract(),
            _ => f64::NAN,
        }
    }
}

/// Three significant digits are more than the noise leaves.
pub fn short(value: f64) -> String {
    match value {
        value if value < 10.0 => format!("{value:.1}"),
        value => format!("{value:.0}"),
    }
}
