pub fn interrupted() -> bool { false }
