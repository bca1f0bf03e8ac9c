import { createHash } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { objectKey } from './keys.ts'

const of = (userId: string, n = 1, format: 'pptx' | 'pdf' = 'pptx') =>
  objectKey({ userId, presentationId: 'id', n, format })

describe('objectKey', () => {
  it('has a folder for each user and a number from the second upload on', () => {
    expect(of('alice')).toBe('presentations/alice/id.pptx')
    expect(of('alice', 2)).toBe('presentations/alice/id-2.pptx')
    expect(of('alice', 11, 'pdf')).toBe('presentations/alice/id-11.pdf')
  })

  it('makes one segment of any subject', () => {
    expect(of('auth0|a/b@c d')).toBe('presentations/auth0%7Ca%2Fb%40c%20d/id.pptx')
    expect(of('.')).toBe('presentations/%2E/id.pptx')
    expect(of('..')).toBe('presentations/%2E%2E/id.pptx')
    expect(of('../x')).toBe('presentations/..%2Fx/id.pptx')
    expect(of('Zoë')).toBe('presentations/Zo%C3%AB/id.pptx')
  })

  it('hashes what would be over 200 bytes, and what has no encoding', () => {
    const sha256 = (text: string) => createHash('sha256').update(text).digest('hex')
    expect(of('a'.repeat(200))).toBe(`presentations/${'a'.repeat(200)}/id.pptx`)
    expect(of('a'.repeat(201))).toBe(`presentations/sha256-${sha256('a'.repeat(201))}/id.pptx`)
    expect(of('é'.repeat(34))).toBe(`presentations/sha256-${sha256('é'.repeat(34))}/id.pptx`)
    expect(of('\ud800')).toMatch(/^presentations\/sha256-[0-9a-f]{64}\/id\.pptx$/)
  })
})
