// Stops the embedded Postgres when the process that opened it dies without a word (`kill -9`). A
// shell waits at the end of a pipe whose other end only we hold: the kernel closes it, whatever we
// die of.

import { spawn } from 'node:child_process'

// A line on the pipe means an orderly end; the end of the pipe without a line means that we are
// gone. The server is looked up in its own pid file at that moment, so restarts need no word, and
// is signalled only while its command line names this data folder.
const script = `
read -r line && exit 0
data=$1 throwaway=$2 tries=0
while [ ! -s "$data/postmaster.pid" ] && [ $tries -lt 20 ]; do sleep 0.1; tries=$((tries + 1)); done
pid=$(head -n 1 "$data/postmaster.pid" 2>/dev/null)
is_ours() {
  [ -n "$pid" ] || return 1
  if [ -r /proc/self/cmdline ]; then tr '\\0' '\\n' <"/proc/$pid/cmdline" 2>/dev/null | grep -qxF -e "$data"
  else ps -ww -o command= -p "$pid" | grep -qF -e "$data"; fi
}
wait_gone() { tries=0; while is_ours && [ $tries -lt "$1" ]; do sleep 0.1; tries=$((tries + 1)); done; }
for name in INT QUIT KILL; do is_ours && kill -$name "$pid" && wait_gone 50; done
if [ -n "$throwaway" ]; then rm -rf -- "$throwaway"; fi
`

export interface Watchdog {
  /** To be called once the server has been stopped in order. */
  stop(): void
}

/** Guards the server of `dataFolder`; `throwaway` is removed with it. */
export function startWatchdog(dataFolder: string, throwaway: string | undefined): Watchdog {
  if (process.platform === 'win32') return { stop() {} }
  const child = spawn('/bin/sh', ['-c', script, 'postgres-keeper', dataFolder, throwaway ?? ''], {
    // A session of its own: Ctrl-C in the terminal and a signal to our group must not take the
    // keeper away first.
    detached: true,
    cwd: '/',
    stdio: ['pipe', 'ignore', 'ignore'],
  })
  child.on('error', () => undefined)
  child.stdin.on('error', () => undefined)
  child.unref()
  ;(child.stdin as unknown as { unref(): void }).unref()
  return { stop: () => void child.stdin.end('done\n') }
}
