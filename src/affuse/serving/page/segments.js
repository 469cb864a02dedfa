// Changes of the segments of one tier. Each gives a fresh list and the segment that is chosen then,
// or null where it cannot be done. Segments are `{person, signal, start, end, label, note}`, in the
// order of time and without overlaps. Where two touch they share their border.

/** Seconds that a segment has at least, and within which two touch. */
export const LEAST = 0.04;
const TOUCH = 1e-3;
/** What a person says who cannot tell. */
export const NOT_SURE = "not sure";
/** The note of what a person changed: it is not what the model proposed any more. */
const CORRECTED = "corrected";

const rounded = (time) => Math.round(time * 1000) / 1000;
const changed = (segment, facts) => ({ ...segment, ...facts, note: CORRECTED });

function replaced(tier, first, count, ...fresh) {
  return [...tier.slice(0, first), ...fresh, ...tier.slice(first + count)];
}

const touches = (one, next) => one !== undefined && next !== undefined && next.start - one.end < TOUCH;

/** Index of the segment at a moment, or -1. */
export function indexAt(tier, time) {
  return tier.findIndex((one) => one.start <= time + 1e-9 && time < one.end);
}

/** Give a segment another label. */
export function relabelled(tier, k, label) {
  const text = label.trim();
  if (!tier[k] || !text || text === tier[k].label) return null;
  return { tier: replaced(tier, k, 1, changed(tier[k], { label: text })), index: k };
}

/** Let a segment begin at another moment; one that touches it ends there. */
export function withStart(tier, k, time) {
  const segment = tier[k], before = tier[k - 1];
  if (!segment) return null;
  const joint = touches(before, segment);
  const least = joint ? before.start + LEAST : before?.end ?? 0;
  const start = rounded(Math.min(Math.max(time, least), segment.end - LEAST));
  if (start === rounded(segment.start) || start < least - TOUCH) return null;
  const own = changed(segment, { start });
  return joint
    ? { tier: replaced(tier, k - 1, 2, changed(before, { end: start }), own), index: k }
    : { tier: replaced(tier, k, 1, own), index: k };
}

/** Let a segment end at another moment; one that touches it begins there. */
export function withEnd(tier, k, time, duration) {
  const segment = tier[k], after = tier[k + 1];
  if (!segment) return null;
  const joint = touches(segment, after);
  const most = joint ? after.end - LEAST : after?.start ?? duration;
  const end = rounded(Math.max(Math.min(time, most), segment.start + LEAST));
  if (end === rounded(segment.end) || end > most + TOUCH) return null;
  const own = changed(segment, { end });
  return joint
    ? { tier: replaced(tier, k, 2, own, changed(after, { start: end })), index: k }
    : { tier: replaced(tier, k, 1, own), index: k };
}

/** Make two of the segment at a moment; the second one is chosen. */
export function split(tier, time) {
  const k = indexAt(tier, time), segment = tier[k], at = rounded(time);
  if (!segment || at - segment.start < LEAST || segment.end - at < LEAST) return null;
  return { tier: replaced(tier, k, 1, changed(segment, { end: at }), changed(segment, { start: at })), index: k + 1 };
}

/** Make one of a segment and the next; the label of the first one counts. */
export function joined(tier, k) {
  if (!tier[k] || !tier[k + 1]) return null;
  return { tier: replaced(tier, k, 2, changed(tier[k], { end: tier[k + 1].end })), index: k };
}

/** Without a segment; its time stays free. */
export function without(tier, k) {
  if (!tier[k]) return null;
  return { tier: replaced(tier, k, 1), index: Math.min(k, tier.length - 2) };
}

/** With a segment more, from a moment that is free until the next one, for two seconds at most. */
export function added(tier, time, duration, facts) {
  if (indexAt(tier, time) >= 0) return null;
  const k = tier.filter((one) => one.end <= time + 1e-9).length;
  const start = rounded(Math.max(time, tier[k - 1]?.end ?? 0));
  const end = rounded(Math.min(start + 2, tier[k]?.start ?? duration, duration));
  if (end - start < LEAST) return null;
  return { tier: replaced(tier, k, 0, { ...facts, start, end, note: CORRECTED }), index: k };
}
