// The server: every question goes to it and to nobody else.

import { askToken, authorization } from "./token.js";

/** A refusal of the server, in one line; its status is 0 where nobody answers. */
export class Refused extends Error {
  constructor(status, reason) {
    super(reason);
    this.status = status;
  }
}

const SILENT = "the server does not answer; is it still running?";

async function ask(path, options = {}) {
  for (;;) {
    let answer;
    try {
      answer = await fetch(path, { ...options, headers: { ...options.headers, ...authorization() } });
    } catch {
      throw new Refused(0, SILENT);
    }
    if (answer.ok) return answer;
    if (answer.status !== 401) throw new Refused(answer.status, reasonIn(await answer.text()));
    await askToken();
  }
}

function reasonIn(text) {
  try {
    return String(JSON.parse(text).detail);
  } catch {
    return "the server could not do that";
  }
}

async function json(path, options) {
  return (await ask(path, options)).json();
}

const at = (id, rest = "") => `v1/jobs/${encodeURIComponent(id)}${rest}`;

export const readLimits = () => json("v1/limits");
export const readModels = () => json("v1/models");
export const readJob = (id) => json(at(id));
export const readView = (id) => json(at(id, "/view"));
export const readLink = (id) => json(at(id, "/link"));
export const readSegments = (id) => json(at(id, "/segments"));
export const deleteJob = (id) => ask(at(id), { method: "DELETE" });

/** Keep segments that follow a revision; returns theirs. */
export async function saveSegments(id, revision, segments) {
  const body = JSON.stringify({ revision, segments });
  const headers = { "Content-Type": "application/json" };
  return (await json(at(id, "/segments"), { method: "PUT", headers, body })).revision;
}

/** Save a file of a job, or its segments in a format, under a name. */
export async function download(id, path, name) {
  const content = await (await ask(at(id, path))).blob();
  const url = URL.createObjectURL(content);
  const link = document.createElement("a");
  link.href = url;
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}

/** Upload a recording; `reached` is told of the share that has gone. Returns the job. */
export async function upload(file, name, options, reached) {
  for (;;) {
    try {
      return await send(file, name, options, reached);
    } catch (error) {
      if (error.status !== 401) throw error;
      await askToken();
    }
  }
}

function send(file, name, options, reached) {
  const form = new FormData();
  form.append("recording", file, name);
  for (const [key, value] of Object.entries(options)) if (value) form.append(key, value);
  return new Promise((done, failed) => {
    const request = new XMLHttpRequest();  // fetch tells nothing of what has gone
    request.upload.onprogress = (event) => reached(event.loaded / event.total);
    request.onload = () => {
      if (request.status === 202) done(JSON.parse(request.responseText));
      else failed(new Refused(request.status, reasonIn(request.responseText)));
    };
    request.onerror = () => failed(new Refused(0, "the upload was broken off; is the file too large, or the server gone?"));
    request.open("POST", "v1/jobs");
    for (const [key, value] of Object.entries(authorization())) request.setRequestHeader(key, value);
    request.send(form);
  });
}
