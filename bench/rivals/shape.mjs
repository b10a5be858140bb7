// The published shape of a page, for fastify's compiled serialiser.
const text = { type: ['string', 'null'] };
const count = { type: 'integer' };

const row = {
  id: { type: 'string' },
  user_id: text,
  custom_participant_id: text,
  display_name: text,
  preset_name: text,
  joined_at: { type: 'string' },
  left_at: text,
  duration: { type: 'number' },
  created_at: { type: 'string' },
  updated_at: { type: 'string' },
};

const object = (properties) => ({ type: 'object', properties });

export const page = object({
  success: { type: 'boolean' },
  data: object({
    participants: { type: 'array', items: object(row) },
    paging: object({ total_count: count, start_offset: count, end_offset: count }),
  }),
});
