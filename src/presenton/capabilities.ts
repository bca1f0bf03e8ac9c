// What the connected version can do, in the words of the API.

import type { Features } from './dialect.ts'
import { sourceTypesOf } from './source-types.ts'

export const shapes = ['A1', 'T', 'B1', 'B2'] as const
export type Shape = (typeof shapes)[number]

/** The group of versions: 0.5.14 to 0.7.3, 0.8, 0.9 to 0.9.3, and what came after. */
export function shapeOf({ layout, templates, exportRoute, smart }: Features): Shape {
  if (layout === 'id') return exportRoute === 'deck-export' || smart ? 'B2' : 'B1'
  return templates === 'groups' ? 'A1' : 'T'
}

/** The versions of a group, in words. */
export const versionsOf: Record<Shape, string> = {
  A1: '0.5.14 to 0.7.3',
  T: '0.8',
  B1: '0.9 to 0.9.3',
  B2: 'later than 0.9.3',
}

/** What slides are drawn from: versions with layouts by id draw a `ui` of their own. */
export const slideContentOf = ({ layout }: Features): 'content' | 'ui' =>
  layout === 'id' ? 'ui' : 'content'

export type Capabilities = ReturnType<typeof capabilitiesOf>

export function capabilitiesOf(features: Features) {
  return {
    shape: shapeOf(features),
    /** Its model can change one slide. */
    edit: features.slideEdit !== null,
    slideContent: slideContentOf(features),
    sources: sourceTypesOf(features),
    /** Its editor can be offered: it knows users. */
    maker: features.hasUsers,
  }
}

/** The same of features that may not be known yet. */
export const asFarAsKnown = (features: Features | undefined): Capabilities | undefined =>
  features && capabilitiesOf(features)
