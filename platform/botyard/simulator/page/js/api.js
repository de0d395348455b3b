// Talking to the control API.

export class Refused extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

async function read(response) {
  const kind = response.headers.get("Content-Type") ?? "";
  const body = kind.startsWith("application/json") ? await response.json() : {};
  if (!response.ok) throw new Refused(response.status, body.error ?? body.description ?? `Answer ${response.status}`);
  return body;
}

export async function get(path, query = {}, signal = undefined) {
  const search = new URLSearchParams(query).toString();
  return read(await fetch(search ? `${path}?${search}` : path, { signal, cache: "no-store" }));
}

export async function post(path, body) {
  const headers = { "Content-Type": "application/json" };
  return read(await fetch(path, { method: "POST", headers, body: JSON.stringify(body) }));
}

// What a failed request means, for a person.
export function words(error) {
  if (error instanceof Refused) return sentence(error.message);
  return "The simulator does not answer. Is it still running?";
}

const sentence = (text) => text.charAt(0).toUpperCase() + text.slice(1) + (/[.!?]$/.test(text) ? "" : ".");
