import { PassThrough } from "node:stream";
import { expect, test } from "vitest";
import { ask } from "#coordinator/cli/ask.ts";

async function answerTo(
  typed: string,
): Promise<{ readonly answer: string; readonly calls: number }> {
  const input = new PassThrough();
  let calls = 0;
  const asked = ask("Type x: ", input, new PassThrough(), () => {
    calls += 1;
  });
  input.write(typed);
  return { answer: await asked, calls };
}

test("Ctrl-C at a question interrupts, Ctrl-D answers nothing, a line is the answer", async () => {
  expect(await answerTo("\u0003")).toEqual({ answer: "", calls: 1 });
  expect(await answerTo("\u0004")).toEqual({ answer: "", calls: 0 });
  expect(await answerTo("pg_hba.conf\r")).toEqual({ answer: "pg_hba.conf", calls: 0 });
});
