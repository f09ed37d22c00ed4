from bench.scrape import counters

TEXT = """\
# HELP rest_client_requests_total Requests to the API server by answer.
# TYPE rest_client_requests_total counter
rest_client_requests_total{code="200",host="127.0.0.1:1",method="GET"} 30.0
rest_client_requests_total{code="404",host="127.0.0.1:1",method="GET"} 2.0
rest_client_requests_total{code="200",host="127.0.0.1:1",method="PATCH"} 1.2e+01
rest_client_requests_created{code="200",host="127.0.0.1:1",method="GET"} 1.7e+09
plain_total 3.0
"""


def test_samples_are_summed_over_the_labels_not_asked_for():
    assert counters(TEXT, "rest_client_requests_total", "method") == {("GET",): 32, ("PATCH",): 12}
    assert counters(TEXT, "rest_client_requests_total") == {(): 44}


def test_a_counter_without_labels_and_one_that_is_not_there():
    assert counters(TEXT, "plain_total") == {(): 3}
    assert counters(TEXT, "absent_total", "method") == {}
