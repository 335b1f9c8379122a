/** What the peers share: the tools of the bench, declared with zod as each of them documents it. */
import { z } from 'zod';
import { INPUT_PROPERTIES } from '../lib/workload.mjs';

export const inputShape = {
  customer_id: z.string().describe(INPUT_PROPERTIES.customer_id.description),
  limit: z.number().int().optional().describe(INPUT_PROPERTIES.limit.description),
};
export const input = z.object(inputShape);
