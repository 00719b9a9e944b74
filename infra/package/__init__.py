"""From the repository to what Lambda gets: one zip and one CloudFormation template."""
