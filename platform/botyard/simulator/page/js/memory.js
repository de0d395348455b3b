// What this browser remembers: who the person is, what was seen, drafts, the theme.

const PREFIX = "botyard-simulator-";

function read(name, otherwise) {
  try {
    return JSON.parse(localStorage.getItem(PREFIX + name)) ?? otherwise;
  } catch {
    return otherwise;
  }
}

function write(name, value) {
  try {
    localStorage.setItem(PREFIX + name, JSON.stringify(value));
  } catch {
    // A full or forbidden store costs comfort only.
  }
}

export class Memory {
  // The whole card, so that a world that was started afresh gets to know the same person.
  get person() {
    return read("person", { id: 0 });
  }

  set person(value) {
    write("person", value);
  }

  get theme() {
    return read("theme", "system");
  }

  set theme(value) {
    write("theme", value);
  }

  // The open columns: [{ key, personId }].
  get open() {
    return read("open", []);
  }

  set open(value) {
    write("open", value);
  }

  seen(personId, key) {
    return read("seen", {})[`${personId}/${key}`] ?? 0;
  }

  // An id below the one before means that the chat began anew.
  see(personId, key, messageId) {
    const all = read("seen", {});
    if (all[`${personId}/${key}`] === messageId) return;
    all[`${personId}/${key}`] = messageId;
    write("seen", all);
  }

  draft(personId, key) {
    return read("drafts", {})[`${personId}/${key}`] ?? "";
  }

  keepDraft(personId, key, text) {
    const all = read("drafts", {});
    if (text) all[`${personId}/${key}`] = text;
    else delete all[`${personId}/${key}`];
    write("drafts", all);
  }
}
