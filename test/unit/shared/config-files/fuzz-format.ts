import * as fc from "fast-check";
import { expect, test } from "vitest";
import { printConfigChange } from "#shared/config-files/config-change.ts";
import type { FileFormat } from "#shared/config-files/file-format.ts";
import { maskSecrets } from "#shared/config-files/mask-secrets.ts";
import { semanticDiff } from "#shared/config-files/semantic-diff.ts";
import { type Complaint, splitLines } from "#shared/config-files/text-file.ts";
import { brokenText } from "./broken-text.ts";
import { runs } from "./fixture.ts";

export type FuzzedFormat = {
  readonly format: FileFormat;
  /** Names in test/fixtures/config-files. */
  readonly samples: readonly string[];
  /** Printing what was parsed, and what the parser complains about. */
  readonly reprint: (text: string) => {
    readonly text: string;
    readonly complaints: readonly Complaint[];
  };
  /** Each asserts that it changes its own lines only. */
  readonly edits: readonly ((text: string) => void)[];
};

/** One run is one text: read, printed, masked, compared with a part of itself, and edited in every way there is. */
export function fuzzFormat({ format, samples, reprint, edits }: FuzzedFormat): void {
  test(`${format}: no broken file loses a byte, fails, or is changed beside an edit's lines`, () => {
    const spent = { runs: 0, bytes: 0, readMs: 0 };
    fc.assert(
      fc.property(brokenText(samples), (text) => {
        const startedAt = performance.now();
        const read = reprint(text);
        const masked = maskSecrets(format, text);
        const changes = semanticDiff(format, text.slice(text.length >> 1), text);
        spent.readMs += performance.now() - startedAt;
        spent.bytes += text.length;
        spent.runs += 1;

        expect(read.text).toBe(text);
        const lines = splitLines(text).length;
        for (const { line, column, message } of read.complaints) {
          expect(line, message).toBeGreaterThanOrEqual(1);
          expect(line, message).toBeLessThanOrEqual(lines);
          expect(column, message).toBeGreaterThanOrEqual(1);
        }
        expect(splitLines(masked)).toHaveLength(lines);
        for (const change of changes) expect(printConfigChange(change)).not.toBe("");
        for (const edit of edits) edit(text);
      }),
      runs,
    );
    if (process.env["FUZZ_RUNS"] !== undefined) {
      const { bytes, readMs } = spent;
      const perByte = ((readMs * 1e6) / Math.max(1, bytes)).toFixed(0);
      console.log(`fuzz ${format}: ${spent.runs} runs, ${bytes} bytes, ${perByte} ns per byte`);
    }
  });
}

/** An edit may refuse a file that it could only harm; that is a RangeError, and nothing else. */
export function unlessRefused(edit: () => string): string | null {
  try {
    return edit();
  } catch (error) {
    expect(error).toBeInstanceOf(RangeError);
    return null;
  }
}
