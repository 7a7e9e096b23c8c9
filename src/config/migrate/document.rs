//! A file as text with structure: values are taken out and put elsewhere, and comments go with them.

use std::mem;

use toml_edit::{Decor, DocumentMut, Item, Table, TableLike, Value};

/// A TOML file.
pub(super) struct Document {
    inner: DocumentMut,
    /// Comments above the headers of tables that are no more, and the table that their first value went to.
    orphans: Vec<(String, Decor)>,
    /// Tables that are new, and the tables that their first values come from.
    made: Vec<(String, String)>,
}

/// What was taken out. Comments go with the first value that it becomes.
pub(super) struct Taken {
    /// The table it stood in, the outermost first.
    table: String,
    item: Item,
    /// What stands before the key.
    before: String,
    /// What stands behind the value.
    behind: String,
    position: Option<isize>,
    /// What stood above the header of its table, if that is gone now.
    header: Option<Decor>,
}

impl Document {
    pub(super) fn parse(text: &str) -> Option<Self> {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        Some(Self { inner: text.parse().ok()?, orphans: Vec::new(), made: Vec::new() })
    }

    /// Takes out the value at a path, and every table that is empty then.
    pub(super) fn take(&mut self, path: &str) -> Option<Taken> {
        let (table, name) = path.rsplit_once('.').unwrap_or(("", path));
        let position = self.inner.get(table.split('.').next()?).and_then(Item::as_table).and_then(Table::position);
        let parent = self.table(table)?;
        let before = parent.key(name).map(|key| text(key.leaf_decor().prefix())).unwrap_or_default();
        let item = parent.remove(name)?;
        let before = before + &comments(&item);
        let behind = behind(&item);
        let mut taken = Taken { table: table.to_owned(), item, before, behind, position, header: None };
        self.prune(&mut taken)?;
        Some(taken)
    }

    /// Puts a value, or the one that was taken, at a path, unless something is there.
    pub(super) fn put(&mut self, path: &str, taken: &mut Taken, value: Option<Value>) -> Option<()> {
        let mut item = value.map_or_else(|| taken.item.clone(), Item::Value);
        if let Item::Value(value) = &mut item {
            *value.decor_mut() = Decor::new(" ", mem::take(&mut taken.behind));
        }
        let mut segments: Vec<_> = path.split('.').collect();
        let name = segments.pop()?;
        let mut table: &mut dyn TableLike = self.inner.as_table_mut();
        for (depth, segment) in segments.iter().enumerate() {
            if !table.contains_key(segment) {
                let mut new = Table::new();
                new.set_dotted(depth > 0);
                if depth == 0 {
                    self.made.push(((*segment).to_owned(), taken.table.clone()));
                }
                table.insert(segment, Item::Table(new));
            }
            let item = table.get_mut(segment)?;
            // A table that is new stands where the first one stood that it gets a value of.
            if let Some(new) = item.as_table_mut().filter(|_| self.made.iter().any(|(made, _)| made == segment)) {
                let position = new.position().or(taken.position).filter(|_| depth == 0);
                new.set_position(position);
            }
            table = item.as_table_like_mut()?;
        }
        if table.contains_key(name) {
            return Some(());
        }
        table.insert(name, item);
        table.key_mut(name)?.leaf_decor_mut().set_prefix(mem::take(&mut taken.before));
        if let (Some(header), Some(first)) = (taken.header.take(), segments.first()) {
            self.orphans.push(((*first).to_owned(), header));
        }
        Some(())
    }

    /// Whether a path has a value, and is no table.
    pub(super) fn has_value(&self, path: &str) -> bool {
        let start: &Item = self.inner.as_item();
        path.split('.').try_fold(start, |item, segment| item.get(segment)).is_some_and(|item| !item.is_table_like())
    }

    /// The text.
    pub(super) fn finish(mut self) -> String {
        for (new, old) in mem::take(&mut self.made) {
            let gap = if old.is_empty() || self.table(&old).is_some() { "\n" } else { "" };
            if let Some(table) = self.inner.get_mut(&new).and_then(Item::as_table_mut) {
                table.decor_mut().set_prefix(gap);
            }
        }
        for (table, decor) in self.orphans.drain(..) {
            let Some(table) = self.inner.get_mut(&table).and_then(Item::as_table_mut) else { continue };
            if text(table.decor().prefix()).trim().is_empty() {
                *table.decor_mut() = decor;
            }
        }
        self.inner.to_string().trim_start_matches('\n').to_owned()
    }

    fn table(&mut self, path: &str) -> Option<&mut dyn TableLike> {
        let mut table: &mut dyn TableLike = self.inner.as_table_mut();
        for segment in path.split('.').filter(|segment| !segment.is_empty()) {
            table = table.get_mut(segment)?.as_table_like_mut()?;
        }
        Some(table)
    }

    /// Removes the table of what was taken and those around it, as long as they are empty, and keeps their comments.
    fn prune(&mut self, taken: &mut Taken) -> Option<()> {
        let whole = taken.table.clone();
        let mut path = &*whole;
        while !path.is_empty() && self.table(path).is_some_and(|table| table.is_empty()) {
            let (parent, name) = path.rsplit_once('.').unwrap_or(("", path));
            let parent_table = self.table(parent)?;
            let before = parent_table.key(name).map(|key| text(key.leaf_decor().prefix())).unwrap_or_default();
            match parent_table.remove(name)? {
                Item::Table(table) if table.is_dotted() => {}
                Item::Table(table) if !text(table.decor().prefix()).is_empty() => {
                    taken.header = Some(table.decor().clone());
                }
                gone => {
                    // Without comments, the space within an inline table is not that between lines.
                    if taken.before.trim().is_empty() || !before.trim().is_empty() {
                        taken.before = before;
                    }
                    if taken.behind.trim().is_empty() {
                        taken.behind = behind(&gone);
                    }
                }
            }
            path = parent;
        }
        Some(())
    }
}

fn behind(item: &Item) -> String {
    item.as_value().map(|value| text(value.decor().suffix())).unwrap_or_default()
}

/// The comments within tables, a line each.
fn comments(item: &Item) -> String {
    fn within(table: &Table, found: &mut String) {
        found.push_str(&text(table.decor().prefix()));
        for (name, item) in table {
            let key = table.key(name).map(|key| text(key.leaf_decor().prefix()));
            found.push_str(&format!("{}\n{}\n", key.unwrap_or_default(), behind(item)));
            descend(item, found);
        }
    }
    fn descend(item: &Item, found: &mut String) {
        match item {
            Item::Table(table) => within(table, found),
            Item::ArrayOfTables(tables) => tables.iter().for_each(|table| within(table, found)),
            _ => {}
        }
    }
    let mut found = String::new();
    descend(item, &mut found);
    let lines = found.lines().map(str::trim).filter(|line| !line.is_empty());
    lines.flat_map(|line| [line, "\n"]).collect()
}

fn text(raw: Option<&toml_edit::RawString>) -> String {
    raw.and_then(toml_edit::RawString::as_str).unwrap_or_default().to_owned()
}
