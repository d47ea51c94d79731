import { onTestFinished } from "vitest";
import { createLab, type Lab, type LabOptions } from "./lab.ts";

/**
 * A lab that ends with the test at hand: its folder is kept when the test failed, and anything that it
 * leaves behind fails the test. (`await using` would be over before it is known how the test ended.)
 */
export async function testLab(options: LabOptions): Promise<Lab> {
  const lab = await createLab(options);
  onTestFinished(async ({ task }) => {
    if (task.result?.state === "fail") lab.keep();
    await lab[Symbol.asyncDispose]();
    lab.assertNoLeftovers();
  });
  return lab;
}
