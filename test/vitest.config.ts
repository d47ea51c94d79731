import { availableParallelism } from "node:os";
import { defineConfig } from "vitest/config";

/** Every process of a suite runs as a fork: a harness's children die with the thread that spawned them. */
const shared = { pool: "forks" as const, root: new URL("..", import.meta.url).pathname };

export default defineConfig({
  test: {
    projects: [
      {
        test: {
          ...shared,
          name: "unit",
          include: ["test/unit/**/*.test.ts"],
          testTimeout: 10_000,
          // They share nothing that could leak, and most of their time is the loading of modules.
          isolate: false,
          maxWorkers: 2,
          // One project after the other, fast ones first: they differ in workers.
          sequence: { groupOrder: 0 },
        },
      },
      {
        test: {
          ...shared,
          name: "integration",
          include: ["test/integration/**/*.test.ts"],
          testTimeout: 60_000,
          hookTimeout: 60_000,
          // More than the smallest machine has cores: most of the time they wait for a server.
          maxWorkers: 3,
          sequence: { groupOrder: 1 },
        },
      },
      {
        test: {
          ...shared,
          name: "e2e",
          include: ["test/e2e/**/*.test.ts"],
          testTimeout: 300_000,
          hookTimeout: 300_000,
          // Each has hosts of its own, and most of the time they wait.
          maxWorkers: availableParallelism() < 4 ? 2 : 3,
          globalSetup: "test/e2e/require-root.ts",
          sequence: { groupOrder: 2 },
        },
      },
    ],
  },
});
