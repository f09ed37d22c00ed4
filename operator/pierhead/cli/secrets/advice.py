"""What to do about a SyncedSecret that is not Ready, by the operator's reason.

Invariant: each says what the author of the SyncedSecret does next, or whom they ask. The reasons are those of
docs/syncedsecret.md; a newer one has no advice, and its message is told all the same.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

_MISSING: Final = "create it in that region, correct its name in the spec, or make the key optional"

ADVICE: Final[Mapping[str, str]] = MappingProxyType(
    {
        "SecretNotFound": _MISSING,
        "ParameterNotFound": _MISSING,
        "MarkedForDeletion": "restore it (aws secretsmanager restore-secret), or take it out of the spec",
        "SourceDeleted": "create the secrets again, or delete the SyncedSecret",
        "AccessDenied": "grant the role that reads secretsmanager:GetSecretValue or ssm:GetParameters on it, "
        "and kms:Decrypt on its key",
        "InvalidCredentials": "an administrator has to correct the operator's credentials",
        "PropertyNotFound": "add the property in AWS, correct its path in the spec, or make the key optional",
        "NullValue": "give it a value in AWS, or take the property away",
        "NotJSON": "correct its text in AWS, or leave `property` out to take the whole",
        "NotAnObject": "make it a JSON object in AWS, or take it whole with spec.data",
        "NotDotenv": "correct that line in AWS",
        "NotText": "take it whole, without property or format",
        "NotBase64": "correct its text in AWS, or take spec.….decode away",
        "TemplateInvalid": "write it in the language of docs/templates.md",
        "TemplateFailed": "correct what the message names in the template, or the value in AWS",
        "TemplateTooCostly": "make the template do less, or spread the keys over several SyncedSecrets",
        "UndefinedKey": "name a key of spec.data or spec.dataFrom, or give it a default in the template",
        "SourceGone": "create it again in AWS, or set spec.onSourceDelete to Delete to go on without it",
        "NotPKCS12": "correct the file or its password in AWS",
        "BadPattern": "correct the pattern or replacement that the message names",
        "NothingFound": "correct what spec.dataFrom[].find asks for, or make the line optional",
        "TooMuchFound": "give find a longer namePrefix or path, or spread it over several SyncedSecrets",
        "WrongKind": "take elements of a StringList one by one, by their number as `property`",
        "BadKey": "rename the property in AWS, or take single properties with spec.data",
        "MissingKey": "give the keys that the type of the Secret asks for",
        "NamespaceTerminating": "nothing: the namespace is going",
        "RoleNotAssumable": "let the role's trust policy name the one that assumes it",
        "NoPodIdentityAssociation": "associate a role with the ServiceAccount in EKS",
        "ClusterNameMissing": "an administrator has to tell the operator the cluster's name",
        "KeyNotFound": "annotate the account with eks.amazonaws.com/role-arn, or give spec.aws.roleArn",
        "ReferenceNotFound": "create the ServiceAccount, or correct its name in spec.aws",
        "NoPodOfServiceAccount": "have a Pod run with the ServiceAccount, or use IRSA",
        "DuplicateProperty": "take one of the two away in AWS",
        "KeyCollision": "take the key from one place only, or rewrite one of the names",
        "TooLarge": "spread the keys over several SyncedSecrets",
        "TargetNotOwned": "choose another spec.target.name, or set spec.target.adopt if nobody else writes",
        "TargetTerminating": "wait until it is gone; a finalizer of somebody else may hold it",
        "TargetRefused": "correct what the message names in spec.target or in the values",
        "PolicyDenied": "ask an administrator of pierhead for the rule that the message ends with",
        "Invalid": "correct the field that the message names",
        "AwsUnavailable": "nothing: it is retried, and the Secret keeps its values",
        "Throttled": "nothing: it is retried; too many calls may need a longer interval",
        "NoCredentials": "an administrator has to give the operator a role: see docs/install.md",
        "ExpiredCredentials": "if it does not pass, an administrator looks at the operator's role and clock",
        "Contested": "find who else writes it: kubectl get secret NAME -o yaml --show-managed-fields",
        "InternalError": "report it: it is a fault of pierhead, and the operator's log says where",
    }
)
