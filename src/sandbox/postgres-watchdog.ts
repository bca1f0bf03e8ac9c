// A watchdog process that stops the embedded Postgres when the process that started it dies, even
// by `kill -9`. It waits for the end of a pipe: the kernel closes our end however we die.

import { spawn } from 'node:child_process'

export const watchdogName = 'postgres-watchdog'

// A line on the pipe means a normal shutdown, the end of the pipe without a line means that we
// died. The script reads the server's pid file only then, so it follows restarts, and it signals a
// process only if its command line names the data directory.
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
wait_for_exit() { tries=0; while is_ours && [ $tries -lt "$1" ]; do sleep 0.1; tries=$((tries + 1)); done; }
for name in INT QUIT KILL; do is_ours && kill -$name "$pid" && wait_for_exit 50; done
if [ -n "$throwaway" ]; then rm -rf -- "$throwaway"; fi
`

export interface Watchdog {
  /** Call it once the server has been stopped. */
  stop(): void
}

/**
 * Watches the server of the data directory `data`. When this process dies, the watchdog also
 * removes the folder `throwaway`. On Windows it does nothing.
 */
export function startWatchdog(data: string, throwaway: string | undefined): Watchdog {
  if (process.platform === 'win32') return { stop() {} }
  const child = spawn('/bin/sh', ['-c', script, watchdogName, data, throwaway ?? ''], {
    // A session of its own: Ctrl-C and signals to our process group must not end it before us.
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
