// Files that wait to be sent, and how: as pictures and players, as plain files, as a voice message.

import { element, icon, iconButton } from "./dom.js";
import { count, size } from "./format.js";
import { toast } from "./toast.js";

const LARGEST = 45e6;
const MOST = 10;

export class Attachments {
  constructor(box, onChange) {
    this.box = box;
    this.onChange = onChange;
    this.files = [];
    this.as = "media";
  }

  add(files) {
    for (const file of files) {
      if (file.size > LARGEST) toast(`${file.name} is larger than 45 MB, more than this page can send.`, "bad");
      else if (this.files.length >= MOST) {
        toast(`An album has at most ${MOST} files.`, "bad");
        break;
      } else this.files.push({ file, url: file.type.startsWith("image/") ? URL.createObjectURL(file) : "" });
    }
    this.draw();
  }

  // Hands the files out; they come back by putBack, or are done with by forget.
  take() {
    const taken = this.files;
    this.files = [];
    this.draw();
    return taken;
  }

  putBack(taken) {
    this.files = [...taken, ...this.files];
    this.draw();
  }

  forget(taken) {
    taken.forEach(({ url }) => url && URL.revokeObjectURL(url));
  }

  // What each file is sent as, in Telegram's terms.
  kindOf({ type }) {
    if (this.as === "voice") return "voice";
    if (this.as === "file") return "document";
    if (type === "image/gif") return "animation";
    if (/^image\/(jpeg|png|webp)$/.test(type)) return "photo";
    if (type.startsWith("video/")) return "video";
    if (type.startsWith("audio/")) return "audio";
    return "document";
  }

  chip(entry, index) {
    const { file, url } = entry;
    const shown = url ? element("img", { src: url, alt: "" }) : element("span", { class: "badge" }, icon("file"));
    const texts = element("span", { class: "lines" }, element("strong", {}, file.name), element("small", {}, size(file.size)));
    const remove = iconButton("close", `Remove ${file.name}`, () => {
      this.files.splice(index, 1);
      if (url) URL.revokeObjectURL(url);
      this.draw();
    });
    return element("li", {}, shown, texts, remove);
  }

  draw() {
    this.box.hidden = this.files.length === 0;
    const options = [["media", "Photo, video or audio"], ["file", "File"], ["voice", "Voice message"]];
    const select = element("select", { "aria-label": "Send as" }, ...options.map(([value, text]) => element("option", { value, selected: value === this.as }, text)));
    select.addEventListener("change", () => (this.as = select.value));
    const head = element("div", { class: "trayhead" }, element("span", {}, count(this.files.length, "file")), select);
    this.box.replaceChildren(head, element("ul", { "aria-label": "Files to send" }, ...this.files.map((entry, index) => this.chip(entry, index))));
    this.onChange();
  }
}

export function readBase64(file) {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.addEventListener("load", () => resolve(reader.result.slice(reader.result.indexOf(",") + 1)));
    reader.addEventListener("error", () => reject(reader.error));
    reader.readAsDataURL(file);
  });
}
