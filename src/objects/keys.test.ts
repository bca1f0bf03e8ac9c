import { createHash } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import type { ExportFormat } from '../contract/presentation.ts'
import { presentationKey, userFolder } from './keys.ts'

const keyOf = (userId: string, uploadNumber = 1, format: ExportFormat = 'pptx') =>
  presentationKey({ userId, presentationId: 'id', uploadNumber, format })

describe('presentationKey', () => {
  it('starts with a folder for each user and ends with a number from the second upload on', () => {
    expect(keyOf('alice')).toBe('presentations/alice/id.pptx')
    expect(keyOf('alice', 2)).toBe('presentations/alice/id-2.pptx')
    expect(keyOf('alice', 11, 'pdf')).toBe('presentations/alice/id-11.pdf')
  })

  it('encodes any subject as one path segment', () => {
    expect(keyOf('auth0|a/b@c d')).toBe('presentations/auth0%7Ca%2Fb%40c%20d/id.pptx')
    expect(keyOf('.')).toBe('presentations/%2E/id.pptx')
    expect(keyOf('..')).toBe('presentations/%2E%2E/id.pptx')
    expect(keyOf('../x')).toBe('presentations/..%2Fx/id.pptx')
    expect(keyOf('Zoë')).toBe('presentations/Zo%C3%AB/id.pptx')
  })

  it('hashes a subject that is over 200 bytes or has no encoding', () => {
    const sha256 = (text: string) => createHash('sha256').update(text).digest('hex')
    expect(keyOf('a'.repeat(200))).toBe(`presentations/${'a'.repeat(200)}/id.pptx`)
    expect(keyOf('a'.repeat(201))).toBe(`presentations/sha256-${sha256('a'.repeat(201))}/id.pptx`)
    expect(keyOf('é'.repeat(34))).toBe(`presentations/sha256-${sha256('é'.repeat(34))}/id.pptx`)
    expect(keyOf('\ud800')).toMatch(/^presentations\/sha256-[0-9a-f]{64}\/id\.pptx$/)
  })
})

describe('userFolder', () => {
  it('separates the purposes, with the same segment for the user', () => {
    expect(userFolder('sources', 'a/b')).toBe('sources/a%2Fb/')
    expect(userFolder('presentations', 'a/b')).toBe('presentations/a%2Fb/')
  })
})
