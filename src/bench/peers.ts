// The peers, as a process of their own like the gateway: a bare proxy in front of the same upstream, and a bare route with one INSERT.
import httpProxy from '@fastify/http-proxy'
import fastify from 'fastify'
import pg from 'pg'

const { UPSTREAM = '', DATABASE_URL = '' } = process.env
const app = fastify()
const pool = new pg.Pool({ connectionString: DATABASE_URL, max: 10 })
await pool.query('create table if not exists bare (id uuid primary key, body text not null)')
app.post('/bare', async (request, reply) => {
  const id = crypto.randomUUID()
  await pool.query('insert into bare (id, body) values ($1, $2)', [id, JSON.stringify(request.body)])
  return reply.code(202).send({ id })
})
await app.register(httpProxy, { upstream: UPSTREAM })
await app.listen({ host: '127.0.0.1', port: 0 })
const address = app.server.address()
console.log(JSON.stringify({ msg: 'listening', address: `http://127.0.0.1:${typeof address === 'object' ? address?.port : ''}` }))
