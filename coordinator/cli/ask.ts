import { createInterface } from "node:readline/promises";

/** One line from a terminal, "" where none comes (Ctrl-D). `interrupt`: readline takes Ctrl-C for itself. */
export async function ask(
  question: string,
  input: NodeJS.ReadableStream,
  output: NodeJS.WritableStream,
  interrupt: () => void,
): Promise<string> {
  const lines = createInterface({ input, output, terminal: true });
  const closed = new Promise<null>((resolve) => {
    lines.once("close", () => resolve(null));
  });
  lines.once("SIGINT", () => {
    interrupt();
    lines.close();
  });
  try {
    const answer = await Promise.race([lines.question(question), closed]);
    if (answer === null) output.write("\n");
    return answer ?? "";
  } finally {
    lines.close();
  }
}
