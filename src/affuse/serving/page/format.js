// Times and numbers as people read them.

/** `3.2 s`, or `12:03.2` from two minutes on. */
export function clock(seconds, digits = 1) {
  if (seconds < 120) return `${seconds.toFixed(digits)} s`;
  const tenths = Math.round(seconds * 10 ** digits) / 10 ** digits;
  const minutes = Math.floor(tenths / 60), rest = (tenths - 60 * minutes).toFixed(digits);
  return `${minutes}:${rest.padStart(digits ? 3 + digits : 2, "0")}`;
}

/** A date with its time, as the reader's language writes it. */
export function when(date) {
  return date.toLocaleString([], { dateStyle: "medium", timeStyle: "short" });
}

/** Bytes in MB. */
export function megabytes(bytes) {
  return `${(bytes / 1e6).toFixed(bytes < 1e7 ? 1 : 0)} MB`;
}

/** A value of a curve: probabilities without a sign, dimensions with one. */
export function value(x, kind) {
  const rounded = Math.round(100 * x) / 100 + 0;  // without a negative zero
  return kind === "values" && rounded >= 0 ? `+${rounded.toFixed(2)}` : rounded.toFixed(2);
}
