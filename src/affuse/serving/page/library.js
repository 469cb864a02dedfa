// Which recordings this browser knows of: ids of jobs and the names that their files had.

const KEY = "affuse.jobs";

/** `{id, name}` of every job, the newest first. */
export function known() {
  try {
    const jobs = JSON.parse(localStorage.getItem(KEY) ?? "[]");
    return jobs.filter((job) => typeof job.id === "string" && typeof job.name === "string");
  } catch {
    return [];
  }
}

/** Remember a job. */
export function remember(id, name) {
  keep([{ id, name }, ...known().filter((job) => job.id !== id)]);
}

/** Forget a job. */
export function forget(id) {
  keep(known().filter((job) => job.id !== id));
}

/** The name of the file of a job; that of the server where another browser sent it. */
export function nameOf(id) {
  return known().find((job) => job.id === id)?.name ?? "recording";
}

function keep(jobs) {
  localStorage.setItem(KEY, JSON.stringify(jobs));
}
