/** The programs' version; the agent and the coordinator must agree on the protocol, not on this. */
export const version = "0.1.0";

/** Version of the messages between agent and coordinator. A peer with another one is refused. */
export const protocolVersion = 1;
