// nginx as a bare proxy in front of the upstream, as a peer: one worker, no buffering, no files.
import { spawn, spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { findFreePort } from '../sandbox/ports.ts'
import { openTemporaryFolder } from '../sandbox/temporary-folder.ts'

/** Resolves with undefined if nginx is not installed. */
export async function openNginxProxy({
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
  writeFileSync(file, createConfiguration({ upstream, port, folder: folder.path, connections }))
  const child = spawn(
    'nginx',
    ['-c', file, '-p', folder.path, '-e', join(folder.path, 'error.log')],
    { stdio: 'ignore' },
  )
  const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()))
  process.once('exit', () => child.kill('SIGKILL'))
  const url = `http://127.0.0.1:${port}`
  for (let attempt = 0; attempt < 100; attempt += 1) {
    const response = await fetch(`${url}/bench/state`).catch(() => undefined)
    await response?.body?.cancel()
    if (response?.ok) break
    await delay(50)
  }
  return {
    url,
    pid: child.pid ?? 0,
    async stop() {
      child.kill('SIGKILL')
      await exited
      folder.remove()
    },
  }
}

function createConfiguration(options: {
  upstream: string
  port: number
  folder: string
  connections: number
}): string {
  return `daemon off;
master_process off;
pid ${options.folder}/nginx.pid;
worker_rlimit_nofile ${options.connections};
events { worker_connections ${options.connections}; }
http {
  access_log off;
  client_body_temp_path ${options.folder}/body;
  proxy_temp_path ${options.folder}/proxy;
  fastcgi_temp_path ${options.folder}/fastcgi;
  uwsgi_temp_path ${options.folder}/uwsgi;
  scgi_temp_path ${options.folder}/scgi;
  server {
    listen 127.0.0.1:${options.port} backlog=4096;
    location / {
      proxy_pass ${options.upstream};
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_buffering off;
      proxy_read_timeout 1h;
    }
  }
}
`
}
