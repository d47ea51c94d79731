/** Runs once before the suites of several hosts: without root they can't be tested, which must not look like success. */
export default function requireRoot(): void {
  if (process.getuid?.() === 0) return;
  throw new Error(
    "npm run test:e2e needs root: its hosts are network namespaces with mounts of their own. " +
      "Run it as root (on a machine or in a container that may make namespaces); npm test needs no root.",
  );
}
