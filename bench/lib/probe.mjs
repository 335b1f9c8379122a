/**
 * Preloaded into every server that is measured (`--import`): tells its processor time and memory when it is asked, and
 * nothing else. The server itself need not know.
 */
if (process.send) {
  process.on('message', (message) => {
    if (message?.ask !== 'figures') return;
    if (message.collect) globalThis.gc?.();
    const { user, system } = process.cpuUsage();
    const { rss, heapUsed } = process.memoryUsage();
    process.send({ figures: { user, system, rss, heapUsed } });
  });
  process.channel.unref();
}
