// Webhooks for tests of other routes: none exist.

import type { WebhookServices } from '../webhooks/routes.ts'

function unexpectedCall(): never {
  throw new Error('this test expects no such call')
}

export const unusedWebhooks: WebhookServices = {
  commands: {
    create: unexpectedCall,
    update: unexpectedCall,
    remove: unexpectedCall,
    rotateSecret: unexpectedCall,
    test: unexpectedCall,
    redeliver: unexpectedCall,
  },
  find: async () => undefined,
  list: async () => [],
  listDeliveries: unexpectedCall,
  locate: unexpectedCall,
}
