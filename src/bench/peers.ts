// The peers of the gateway in one process: a bare proxy in front of the same upstream, a bare route
// with one INSERT, and a bare copy of a file from one URL to another.
import httpProxy from '@fastify/http-proxy'
import fastify from 'fastify'
import pg from 'pg'
import { request } from 'undici'

const { UPSTREAM = '', DATABASE_URL = '' } = process.env
const app = fastify()
const pool = new pg.Pool({ connectionString: DATABASE_URL, max: 10 })
await pool.query('create table if not exists bare (id uuid primary key, body text not null)')

app.post('/bare', async (incoming, reply) => {
  const id = crypto.randomUUID()
  await pool.query('insert into bare (id, body) values ($1, $2)', [
    id,
    JSON.stringify(incoming.body),
  ])
  return reply.code(202).send({ id })
})

app.post<{ Body: { from: string; to: string } }>('/copy', async ({ body: { from, to } }, reply) => {
  const source = await request(from)
  const length = String(source.headers['content-length'])
  const stored = await request(to, {
    method: 'PUT',
    body: source.body,
    headers: { 'content-length': length },
  })
  await stored.body.dump()
  return reply.code(stored.statusCode).send({})
})

// Each stream needs an upstream connection, and the default allows only 128.
await app.register(httpProxy, {
  upstream: UPSTREAM,
  undici: { connections: 30_000, bodyTimeout: 0 },
})
const address = await app.listen({ host: '127.0.0.1', port: 0, backlog: 4096 })
console.log(JSON.stringify({ msg: 'listening', address }))
