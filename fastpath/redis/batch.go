package redis

import (
	"context"
	"errors"
	"time"

	goredis "github.com/redis/go-redis/v9"
)

// batch is first and what else is queued, without waiting for more.
func batch[T any](first T, queue <-chan T, into []T) []T {
	into = append(into[:0], first)
	for len(into) < batchMost {
		select {
		case next := <-queue:
			into = append(into, next)
		default:
			return into
		}
	}
	return into
}

func (h *Hints) read() {
	var questions []*question
	for {
		select {
		case <-h.stop:
			return
		case first := <-h.reads:
			questions = batch(first, h.reads, questions)
			h.answer(questions)
			clear(questions)
		}
	}
}

// answer asks Redis once for all of them; every one gets an answer.
func (h *Hints) answer(questions []*question) {
	var values []any
	if h.breaker.TryAcquirePermit() {
		keys := make([]string, len(questions))
		for i, q := range questions {
			keys[i] = redisKey(q.epoch, q.stream)
		}
		ctx, cancel := context.WithTimeout(context.Background(), h.cfg.Timeout)
		var err error
		values, err = h.cfg.Client.MGet(ctx, keys...).Result()
		cancel()
		h.record(err)
	}
	for i, q := range questions {
		var a answer
		if i < len(values) {
			if value, isString := values[i].(string); isString {
				a.head, a.ok = decode(q.epoch, q.stream, value)
			}
		}
		q.answer <- a
	}
}

// record tells the breaker. A refusal is an answer too: only a silent Redis, or
// one that can't be reached, is left alone.
func (h *Hints) record(err error) {
	var refusal goredis.Error
	if err == nil || errors.As(err, &refusal) {
		h.breaker.RecordSuccess()
		return
	}
	h.breaker.RecordFailure()
}

func (h *Hints) write() {
	var heads []remembered
	for {
		select {
		case first := <-h.writes:
			heads = batch(first, h.writes, heads)
			h.send(heads, writeTime)
		case <-h.stop:
			h.flush(heads)
			return
		}
	}
}

// flush sends what is queued when the end has come, for one writeTime in all.
func (h *Hints) flush(heads []remembered) {
	for end := time.Now().Add(writeTime); time.Now().Before(end); {
		select {
		case first := <-h.writes:
			heads = batch(first, h.writes, heads)
			h.send(heads, time.Until(end))
		default:
			return
		}
	}
}

func (h *Hints) send(heads []remembered, within time.Duration) {
	if !h.breaker.TryAcquirePermit() {
		h.dropped.Add(int64(len(heads)))
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), within)
	defer cancel()
	pipe := h.cfg.Client.Pipeline()
	for _, r := range heads {
		if value := encode(r.epoch, r.stream, r.head); value != nil {
			pipe.Set(ctx, redisKey(r.epoch, r.stream), value, h.cfg.TTL)
		}
	}
	_, err := pipe.Exec(ctx)
	if err != nil {
		h.dropped.Add(int64(len(heads)))
	}
	h.record(err)
}
