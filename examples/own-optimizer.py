#!/usr/bin/env python3
"""An optimizer of one's own: answers the asks of experiments with `algorithm = { name = "climber" }`.

    pip install pika                     # or apt-get install python3-pika
    python3 own-optimizer.py amqp://guest:guest@127.0.0.1:5672/autoopt climber

It changes the best parameters known a little at random. All there is to know is in the ask, so an optimizer needs no memory; the
same ask, which may come twice, gets the same answer. Put your favourite library into `suggest`.
"""
import json, math, random, sys, uuid
import pika
QUEUE = {"x-queue-type": "quorum", "x-delivery-limit": 20, "x-dead-letter-exchange": "autoopt.dead",
         "x-dead-letter-strategy": "at-least-once", "x-overflow": "reject-publish"}

def near(parameter, value, rng, scale):
    """A value of `parameter` near `value`."""
    kind = parameter["type"]
    if kind in ("categorical", "bool"):
        return rng.choice(parameter.get("choices", [False, True])) if rng.random() < scale else value
    to, back = (math.log, math.exp) if parameter.get("log") else (float, float)
    low, high = to(parameter["low"]), to(parameter["high"])
    x = back(min(high, max(low, to(value) + scale * (high - low) * rng.gauss(0, 1))))
    if step := parameter.get("step", 1 if kind == "int" else None):
        x = parameter["low"] + step * math.floor((x - parameter["low"]) / step + 1e-9)
    return round(x) if kind == "int" else min(parameter["high"], max(parameter["low"], x))

def suggest(ask):
    if ask.get("constraints"):
        raise ValueError("this optimizer knows no constraints between parameters")
    rng = random.Random(f"{ask['seed']} {ask['number']}")
    done = [r for r in ask["results"] if r["outcome"] == "measured" and "objective" in r]
    sign = 1 if ask["goal"] == "maximize" else -1
    best = max(done, key=lambda r: sign * r["objective"])["parameters"] if done else {}
    scale = 0.3 * 0.1 ** (len(done) / ask["budget"])  # smaller steps towards the end
    return {p["name"]: near(p, best.get(p["name"], p["default"]), rng, scale) for p in ask["parameters"]}

def answer(channel, method, properties, body):
    try:
        ask = json.loads(body)
        trial = {"experiment": ask["experiment_id"], "ask": ask["ask"], "parameters": suggest(ask),
                 "trial": str(uuid.uuid5(uuid.UUID(ask["ask"]), "trial")), "note": "near the best"}
    except Exception as error:
        print(f"to the dead letters: {error!r}", file=sys.stderr)
        return channel.basic_nack(method.delivery_tag, requeue=False)
    kept = pika.BasicProperties(type="autoopt.trial.v1", delivery_mode=2, message_id=str(uuid.uuid5(uuid.UUID(ask["ask"]), "answer")))
    channel.basic_publish("autoopt", "trial", json.dumps(trial), kept, mandatory=True)
    channel.basic_ack(method.delivery_tag)

if __name__ == "__main__":
    url, name = sys.argv[1:]
    channel = pika.BlockingConnection(pika.URLParameters(url)).channel()
    channel.confirm_delivery()  # a trial the broker did not take raises an error, and the ask comes again
    queue = channel.queue_declare(f"autoopt.ask.{name}", durable=True, arguments=QUEUE).method.queue
    channel.queue_bind(queue, "autoopt", f"ask.{name}")
    channel.basic_qos(prefetch_count=1)
    channel.basic_consume(queue, answer)
    print("ready", flush=True)
    channel.start_consuming()
