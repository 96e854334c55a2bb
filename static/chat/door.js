// Why one may not come in, in the server's words: a browser tells no page why a handshake failed.

const ANSWER_MS = 5000;
const LONGEST_WAIT_S = 600;

// {isAbsent} when there is no chat; otherwise {reason, wait}, wait in ms, as far as they are known.
export async function lookAtDoor(url) {
  try {
    const signal = AbortSignal.timeout(ANSWER_MS);
    const answer = await fetch(url, { cache: "no-store", signal });
    if (answer.status === 404) {
      return { isAbsent: true };
    }
    const kind = answer.headers.get("Content-Type") ?? "";
    if (!kind.startsWith("application/problem+json")) {
      return {};
    }
    const { detail } = await answer.json();
    return { reason: detail, wait: waitOf(answer.headers.get("Retry-After")) };
  } catch {
    return {}; // nobody answers there either, or not in time
  }
}

function waitOf(seconds) {
  return /^\d+$/.test(seconds) ? Math.min(LONGEST_WAIT_S, Math.max(1, seconds)) * 1000 : undefined;
}
