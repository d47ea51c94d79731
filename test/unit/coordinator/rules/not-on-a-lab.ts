/** Rules whose breach the emulated product of the test bed can't show, and why. */
export const notOnALab: Readonly<Record<string, string>> = {};
