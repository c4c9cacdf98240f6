// One tab works, the others look on: a Web Lock per account and stage.

/**
 * Ask for the lock. `gained` is called when this tab has it, `lost` when another took it over.
 * @param {string} name
 * @param {{gained: () => void, waiting: () => void, lost: () => void}} handlers
 * @returns {{take: () => void}} take: have it at once, whoever holds it
 */
export function holdLock(name, { gained, waiting, lost }) {
  /** @type {AbortController | null} */
  let queued = null;

  const keep = () => {
    gained();
    return new Promise(() => {}); // until the tab closes or another takes over
  };

  /** @param {LockOptions} options */
  const request = (options) =>
    navigator.locks.request(name, options, keep).catch((error) => {
      if (error.name === "SecurityError") return void keep(); // a frame that shares nothing with any other page
      if (error.name !== "AbortError" || queued?.signal.aborted) return;
      lost();
      wait();
    });

  function wait() {
    queued = new AbortController();
    request({ signal: queued.signal });
  }

  navigator.locks.request(name, { ifAvailable: true }, (lock) => {
    if (lock) return keep();
    waiting();
    wait();
    return undefined;
  }).catch((error) => {
    if (error.name === "SecurityError") return void keep();
    lost();
    wait();
  });

  return {
    take() {
      queued?.abort();
      queued = null;
      request({ steal: true });
    },
  };
}
