// nginx as a bare proxy in front of upstream, where it is installed: one worker, no buffering,
// nothing written to disk.
import { spawn, spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { findFreePort } from '../sandbox/ports.ts'
import { openTemporaryFolder } from '../sandbox/temporary-folder.ts'

export type Nginx = NonNullable<Awaited<ReturnType<typeof openNginx>>>

/** Undefined where there is no such program. */
export async function openNginx({
  upstream,
  connections,
}: {
  upstream: string
  connections: number
}) {
  const { status } = spawnSync('nginx', ['-v'], { stdio: 'ignore' })
  if (status !== 0) return undefined
  const folder = openTemporaryFolder('nginx')
  const port = await findFreePort()
  const file = join(folder.path, 'nginx.conf')
  writeFileSync(file, configuration({ upstream, port, folder: folder.path, connections }))
  const child = spawn(
    'nginx',
    ['-c', file, '-p', folder.path, '-e', join(folder.path, 'error.log')],
    { stdio: 'ignore' },
  )
  const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()))
  process.once('exit', () => child.kill('SIGKILL'))
  const url = `http://127.0.0.1:${port}`
  for (let attempt = 0; attempt < 100; attempt += 1) {
    const answer = await fetch(`${url}/bench/streams`).catch(() => undefined)
    await answer?.body?.cancel()
    if (answer?.ok) break
    await delay(50)
  }
  return {
    url,
    pid: child.pid ?? 0,
    async end() {
      child.kill('SIGKILL')
      await exited
      folder.remove()
    },
  }
}

function configuration(given: {
  upstream: string
  port: number
  folder: string
  connections: number
}): string {
  return `daemon off;
master_process off;
pid ${given.folder}/nginx.pid;
worker_rlimit_nofile ${given.connections};
events { worker_connections ${given.connections}; }
http {
  access_log off;
  client_body_temp_path ${given.folder}/body;
  proxy_temp_path ${given.folder}/proxy;
  fastcgi_temp_path ${given.folder}/fastcgi;
  uwsgi_temp_path ${given.folder}/uwsgi;
  scgi_temp_path ${given.folder}/scgi;
  server {
    listen 127.0.0.1:${given.port} backlog=4096;
    location / {
      proxy_pass ${given.upstream};
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_buffering off;
      proxy_read_timeout 1h;
    }
  }
}
`
}
