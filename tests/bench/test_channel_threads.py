"""Messages from several threads arrive whole, those with descriptors among them."""

import os
import threading

from bench.process.channel import Channel


def test_messages_of_several_threads_do_not_mix():
    ours, theirs = Channel.pair()
    each, read_end = 300, os.open(os.devnull, os.O_RDONLY)

    def send(thread):
        for k in range(each):
            message = {"thread": thread, "k": k, "padding": "x" * (k % 97)}
            ours.send(message, (read_end,) if thread % 2 else ())

    threads = [threading.Thread(target=send, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    seen = {n: [] for n in range(4)}
    for _ in range(4 * each):
        message, descriptors = theirs.receive_with_descriptors()
        assert len(descriptors) == message["thread"] % 2
        seen[message["thread"]].append(message["k"])
        for descriptor in descriptors:
            os.close(descriptor)
    for thread in threads:
        thread.join()
    os.close(read_end)
    assert all(order == list(range(each)) for order in seen.values())
