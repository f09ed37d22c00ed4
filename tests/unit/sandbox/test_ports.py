"""Reserved ports."""

import socket

import pytest

from pierhead_sandbox.ports import Reservation


def test_a_reserved_port_is_refused_to_others_and_given_to_who_shares():
    with Reservation() as reservation:
        address = ("127.0.0.1", reservation.port)
        with socket.socket() as stranger, pytest.raises(OSError, match="in use"):
            stranger.bind(address)
        with socket.socket() as program:
            program.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            program.bind(address)
            program.listen()
            # The reservation never listens, so every connection reaches the program.
            for _ in range(20):
                with socket.create_connection(address), program.accept()[0]:
                    pass


def test_nothing_answers_on_a_port_that_is_only_reserved():
    with Reservation() as reservation, pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", reservation.port), timeout=5)


def test_reservations_never_share():
    reservations = [Reservation() for _ in range(200)]
    assert len({each.port for each in reservations}) == 200
    for each in reservations:
        each.close()


def test_a_port_given_back_is_free():
    with Reservation() as reservation:
        port = reservation.port
    with socket.socket() as stranger:
        stranger.bind(("127.0.0.1", port))
