/** Rules whose breach the emulated product of the test bed can't show, and why. */
export const notOnALab: Readonly<Record<string, string>> = {
  "vendor-cron-active": "no agent can be told to enforce yet, so none is ever in charge",
};
