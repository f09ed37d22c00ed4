"""Parameter Store where moto alone is wrong."""


def test_parameters_that_are_asked_for_by_version_and_label_say_so(client):
    ssm = client("ssm")
    for value in ("one", "two"):
        ssm.put_parameter(Name="/shop/a", Value=value, Type="String", Overwrite=True)
    ssm.label_parameter_version(Name="/shop/a", ParameterVersion=1, Labels=["live"])
    answer = ssm.get_parameters(Names=["/shop/a", "/shop/a:1", "/shop/a:live", "/shop/a:9", "/shop/b"])

    assert {one.get("Selector", ""): one["Value"] for one in answer["Parameters"]} == {
        "": "two",
        ":1": "one",
        ":live": "one",
    }
    assert sorted(answer["InvalidParameters"]) == ["/shop/a:9", "/shop/b"]
