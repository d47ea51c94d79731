import { mkdtemp, rm } from "node:fs/promises";
import { createServer, type RequestListener } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { createApiClient, type ApiClient } from "#coordinator/cli/client.ts";

const gone = {
  code: "COORDINATOR_UNREACHABLE",
  message: expect.stringContaining("went away before it answered"),
};

test("an answer that breaks off in its middle says that the coordinator is gone, not that castellan is broken", async () => {
  const client = await clientOf((_request, response) => {
    response.writeHead(200, { "content-length": "1000" });
    response.write('{"half":', () => response.destroy());
  });
  await expect(client.get("/status")).rejects.toMatchObject(gone);
  await expect(client.post("/operations/x/abort", {})).rejects.toMatchObject({
    ...gone,
    hint: expect.stringContaining("castellan operation list"),
  });
});

test("a stream that breaks off in the middle of a line gives its whole lines, then says so", async () => {
  const client = await clientOf((_request, response) => {
    response.writeHead(200);
    response.write('{"whole":1}\n');
    response.write('{"hal', () => response.destroy());
  });
  const seen: unknown[] = [];
  const look = async (): Promise<void> => {
    const endless = new AbortController().signal;
    for await (const update of client.watch("/operations/x/watch", endless)) seen.push(update);
  };
  await expect(look()).rejects.toMatchObject({
    code: "COORDINATOR_UNREACHABLE",
    message: expect.stringContaining("was cut"),
  });
  expect(seen).toEqual([{ whole: 1 }]);
});

test("a stream that the coordinator ended is over without a failure", async () => {
  const client = await clientOf((_request, response) => response.end('{"whole":1}\n'));
  const seen: unknown[] = [];
  const endless = new AbortController().signal;
  for await (const update of client.watch("/operations/x/watch", endless)) seen.push(update);
  expect(seen).toEqual([{ whole: 1 }]);
});

async function clientOf(listener: RequestListener): Promise<ApiClient> {
  const folder = await mkdtemp(join(tmpdir(), "castellan-api-"));
  const server = createServer(listener);
  const socketPath = join(folder, "api.sock");
  await new Promise<void>((resolve) => server.listen(socketPath, resolve));
  onTestFinished(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
    await rm(folder, { recursive: true });
  });
  return createApiClient(socketPath);
}
