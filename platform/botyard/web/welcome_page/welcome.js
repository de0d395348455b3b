"use strict";

const API = "api/v1";
const code = location.hash.slice(1);
const part = (id) => document.getElementById(id);
let link = null;

/** Ask the API; its answer, or its problem as an error. */
async function ask(method, path, body, token) {
  const headers = { "Content-Type": "application/json" };
  if (token) headers.Authorization = `Bearer ${token}`;
  if (method === "POST") {
    const random = crypto.getRandomValues(new Uint8Array(16));
    headers["Idempotency-Key"] = Array.from(random, (byte) => byte.toString(16).padStart(2, "0")).join("");
  }
  let answer;
  try {
    answer = await fetch(`${API}/${path}`, { method, headers, body: body && JSON.stringify(body) });
  } catch {
    throw { detail: "Botyard cannot be reached now. Is it still running?", errors: [] };
  }
  const found = await answer.json().catch(() => ({}));
  if (answer.ok) return found;
  const wait = answer.headers.get("Retry-After");
  const later = answer.status === 429 && wait ? ` Try again in ${wait} seconds.` : "";
  throw { detail: (found.detail || `The answer was ${answer.status}.`) + later, errors: found.errors || [] };
}

/** Say what a problem is, beside the field that it is about. */
function explain(problem) {
  const fields = { name: part("name"), password: part("password") };
  const rest = [];
  for (const one of problem.errors) {
    const field = fields[one.field];
    const said = `${one.problem} ${one.remedy}`;
    if (!field) rest.push(said);
    else {
      part(`${one.field}-problem`).textContent = `It ${said}`;
      field.setAttribute("aria-invalid", "true");
      field.focus();
    }
  }
  if (!problem.errors.length) rest.push(problem.detail);
  part("problem").textContent = rest.join(" ");
  part("problem").hidden = !rest.length;
}

function forget() {
  for (const id of ["name", "password"]) {
    part(`${id}-problem`).textContent = "";
    part(id).removeAttribute("aria-invalid");
  }
  part("problem").hidden = true;
}

function describe() {
  const known = part("known").checked;
  const says = {
    first: "You are the first here. Choose a name and a password: with them you may do everything.",
    member: `You are invited to act for ${link.customer}, as ${link.role}. ` +
      (known ? "Sign in to accept." : "Choose a name and a password."),
    password: "Choose a new password. You will be signed out everywhere.",
  };
  part("says").textContent = says[link.purpose];
  part("password").autocomplete = known ? "current-password" : "new-password";
  part("password-hint").hidden = known;
}

/** Do what the link is for; the access token of the session that this began. */
async function use(name, password) {
  if (!part("known").checked) {
    const begun = await ask("POST", "invitations/redeem", {
      code, password, ...(link.person === null && { name }),
    });
    return begun.accessToken;
  }
  const begun = await ask("POST", "sessions", { name, password });
  try {
    await ask("POST", "invitations/accept", { code }, begun.accessToken);
  } catch (problem) {
    ask("DELETE", "sessions/current", null, begun.accessToken).catch(() => {});
    throw problem;
  }
  return begun.accessToken;
}

function finish(name) {
  const base = new URL(".", location.href).href.replace(/\/$/, "");
  const given = JSON.stringify({ name, password: "…" }).replaceAll("'", "'\\''");
  part("sign-in").textContent =
    `curl ${base}/api/v1/sessions -H 'Content-Type: application/json' -d '${given}'`;
  part("ask").textContent = `curl ${base}/api/v1/me -H "Authorization: Bearer $TOKEN"`;
  part("key").textContent = `botyard key create --person '${name.replaceAll("'", "'\\''")}' --name my-program`;
  part("title").textContent = `That is all, ${name}`;
  part("says").textContent = "The link is used up. You can sign in with your name and your password.";
  part("form").hidden = true;
  part("done").hidden = false;
  part("title").focus();
  history.replaceState(null, "", location.pathname);
}

async function submit(event) {
  event.preventDefault();
  forget();
  part("send").disabled = true;
  const name = part("name").value.trim();
  try {
    const token = await use(name, part("password").value);
    part("password").value = "";
    // The page needs it no more, and a session that nobody uses should not be open.
    ask("DELETE", "sessions/current", null, token).catch(() => {});
    finish(name);
  } catch (problem) {
    if (!Array.isArray(problem.errors)) throw problem;
    explain(problem);
  } finally {
    part("send").disabled = false;
  }
}

async function begin() {
  if (!code) {
    part("says").textContent = "This page belongs to a link, and its last part is missing. Copy the whole link.";
    return;
  }
  try {
    link = await ask("POST", "invitations/look", { code });
  } catch (problem) {
    part("says").textContent =
      problem.errors.length ? "This link is not valid: it was used or withdrawn, or is too old. Ask for a new one." : problem.detail;
    return;
  }
  part("choice").hidden = link.purpose !== "member";
  if (link.person !== null) {
    part("name").value = link.person;
    part("name").readOnly = true;
  }
  describe();
  part("form").hidden = false;
  part(link.person === null ? "name" : "password").focus();
}

part("known").addEventListener("change", describe);
part("show").addEventListener("change", () => {
  part("password").type = part("show").checked ? "text" : "password";
});
part("form").addEventListener("submit", submit);
begin();
