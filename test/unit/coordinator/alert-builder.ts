import type { AlertRecord } from "#coordinator/store/store.ts";

/** The fields of an alert that is about no rule and no file, and that nobody has looked at. */
export const ofNoRule = {
  rule: null,
  file: null,
  line: null,
  fix: null,
  who: null,
  acknowledgedAt: null,
  acknowledgedBy: null,
  note: null,
  isMuted: false,
} as const satisfies Partial<AlertRecord>;
