/** What attackers have done so far, and what has become of their connections. */
export interface AttackTally {
  /** Connections that were made. */
  opened: number;
  /** Attempts that the server or the system refused. */
  refused: number;
  /** Of those made, which the server has ended. */
  ended: number;
  /** Which the attackers have ended themselves, as their kind does. */
  left: number;
  bytesSent: number;
  bytesReceived: number;
}

export interface FinalTally extends AttackTally {
  /** Connections that the server still had when the attack was over. */
  stillOpen: number;
}

export function emptyTally(): AttackTally {
  return { opened: 0, refused: 0, ended: 0, left: 0, bytesSent: 0, bytesReceived: 0 };
}
