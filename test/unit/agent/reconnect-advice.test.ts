import { expect, test } from "vitest";
import { reconnectAdvice } from "#agent/reconnect-advice.ts";
import { closeCodes } from "#shared/protocol/messages.ts";

const end = { code: null, httpStatus: null, reason: "the connection was cut" };

test.each([
  ["a cut", end, "soon"],
  ["a refused connection", { ...end, reason: "connect ECONNREFUSED 127.0.0.1:7443" }, "soon"],
  ["a coordinator that restarts", { ...end, code: closeCodes.shuttingDown }, "soon"],
  ["a message that it did not like", { ...end, code: closeCodes.badMessage }, "soon"],
  ["a wrong secret", { ...end, code: closeCodes.badSecret }, "slowly"],
  ["a wrong secret at the door", { ...end, httpStatus: 401 }, "slowly"],
  ["another protocol", { ...end, code: closeCodes.wrongProtocol }, "slowly"],
  ["another agent of this node", { ...end, code: closeCodes.alreadyConnected }, "slowly"],
  ["another certificate", { ...end, reason: "self-signed certificate" }, "slowly"],
  ["a clock far off", { ...end, reason: "certificate is not yet valid" }, "slowly"],
])("after %s the agent tries again (%#)", (_, ending, pace) => {
  const advice = reconnectAdvice(ending);
  expect(advice.pace).toBe(pace);
  // Whoever must act is told how.
  expect(advice.hint === null).toBe(pace === "soon");
});
